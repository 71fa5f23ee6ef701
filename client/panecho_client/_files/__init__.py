"""Files of this computer: found, read, and written whole or not at all."""
