"""Recordings and journals of ended calls: in the data folder, or where every node reads them."""
