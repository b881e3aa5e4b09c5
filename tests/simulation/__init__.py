"""The product in one process, under virtual time, with every source of chance seeded. Run: `make simulate`."""
