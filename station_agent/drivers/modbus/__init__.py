"""Key cabinet A: lock relays and contacts behind Modbus RTU boards on one RS-485 bus."""
