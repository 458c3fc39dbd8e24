"""What `chargerig ocmf` does with files and words; records are read and judged in `sim.metering`."""
