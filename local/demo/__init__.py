"""The demonstration: four releases of a Django app on this machine, one of them bad."""
