"""What a memory and a server must survive: kills, foreign files, clients that leave."""
