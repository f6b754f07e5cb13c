"""A recipe for one model and one size: what each type costs each tensor, and the best choice."""
