"""What is heard of a conversation that has grown longer than a model can read: pure logic, and one call of a model."""
