"""The knapsack of one device, in C: choice.c finds the best depth and options."""
