"""The floor where SQL lives, and nowhere else. Every function takes the connection it works on."""
