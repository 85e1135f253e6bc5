"""Builds the texts of the gate programs from `lightgate/gate/programs`. It runs when the layer is
built, and in a checkout. The layer does not contain it, and it imports nothing of lightgate."""
