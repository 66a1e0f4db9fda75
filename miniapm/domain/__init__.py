"""What the words mean: pure functions and values. No await, no SQL, no request, no clock."""
