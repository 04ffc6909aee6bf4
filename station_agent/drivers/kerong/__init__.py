"""Key cabinet B: locks with hook and infrared contacts behind KERONG KR-CU16 boards on one RS-485 bus."""
