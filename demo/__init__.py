"""One device and one fleet service on this machine, as a person would first meet them."""
