"""The `vgtoolbox` command: arguments in, one call into the package."""
