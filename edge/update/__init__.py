"""Updates over the air: what the fleet's repository offers, taken only under signature."""
