"""The demonstration: five releases of a Django app on this machine, two of them bad."""
