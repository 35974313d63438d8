"""Plans for benchmarks: crews and plans made by chance, a second opinion on them, ways of breaking them, and shapes to stream."""
