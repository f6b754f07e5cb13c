"""What a quant costs: how far its predictions are from those of the model it was made from."""
