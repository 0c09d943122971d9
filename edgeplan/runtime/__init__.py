"""What runs: profiles of real networks, and plans executed with torch.distributed. Knows no solver."""
