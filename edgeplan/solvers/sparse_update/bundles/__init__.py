"""Plans of few groups: slices that the same devices update, moved together."""
