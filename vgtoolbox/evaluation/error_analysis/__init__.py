"""Error analysis: error types, per-sample results, breakdowns, tables and plots."""
