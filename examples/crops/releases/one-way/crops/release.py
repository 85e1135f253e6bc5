NAME = "one-way"
