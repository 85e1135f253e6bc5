"""Which AWS calls the functions make, compared with the rights that the template gives them."""
