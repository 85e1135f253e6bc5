"""The app spec as values, and facts that follow from it alone. Reading a text is not here."""
