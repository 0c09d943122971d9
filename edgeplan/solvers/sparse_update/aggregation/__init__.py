"""What aggregation costs by groups of devices, with canonical and with free collectives."""
