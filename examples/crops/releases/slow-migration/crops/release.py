NAME = "slow-migration"
