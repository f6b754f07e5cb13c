"""The application: routes, what guards them, and the loop that runs them."""
