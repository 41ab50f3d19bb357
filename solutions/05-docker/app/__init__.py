"""The digit service of the town hall's counter."""
