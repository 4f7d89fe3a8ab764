"""MIAPPE 1.1 (https://www.miappe.org): the readings as a data set that another person can understand without us."""
