"""Commands of the `vgtoolbox` program: they parse arguments and call the package."""
