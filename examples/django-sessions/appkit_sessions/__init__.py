"""Django sessions on the commands of redis-appkit."""
