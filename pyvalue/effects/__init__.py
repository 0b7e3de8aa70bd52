"""What follows when a value changes: effects by the graph, and edits as interventions."""
