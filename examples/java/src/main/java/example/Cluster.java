package example;

import static example.Reply.array;
import static example.Reply.check;
import static example.Reply.text;

import java.net.URI;
import java.util.Set;
import java.util.UUID;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import redis.clients.jedis.Connection;
import redis.clients.jedis.ConnectionPool;
import redis.clients.jedis.HostAndPort;
import redis.clients.jedis.Protocol;
import redis.clients.jedis.RedisClusterClient;

/** The cluster client is given a key beside the call, and goes to the node that has it. */
final class Cluster {
  private static final Pattern MOVED = Pattern.compile("errorstat_MOVED:count=(\\d+)");

  private Cluster() {}

  static void run(URI seed) {
    try (RedisClusterClient redis =
        RedisClusterClient.create(Set.of(new HostAndPort(seed.getHost(), seed.getPort())))) {
      long before = moved(redis);
      String prefix = "example:" + UUID.randomUUID();
      for (int n = 0; n < 30; n++) {
        String limit = prefix + ":limit:" + n;
        check(array(redis.sendCommand(limit, App.RATELIMIT, limit, "5", "EX", "60")).get(0).equals(1L), limit);
        String sessions = prefix + ":sessions:" + n;
        String id = text(redis.sendCommand(sessions, App.SESSION_CREATE, sessions, "EX", "60"));
        check(text(redis.sendCommand(sessions, App.SESSION_GET, sessions, id)).equals("{}"), id);
        // Sent again after a lost connection (maxAttempts, five times by default), which the token
        // makes safe.
        String lock = prefix + ":lock:" + n;
        Object held = redis.sendBlockingCommand(lock, App.LOCK, lock, id, "EX", "5", "WAIT", "10000");
        check(array(held).get(0).equals(1L), held);
      }
      check(moved(redis) == before, "calls went to the wrong node");
    }
  }

  /** How many calls the nodes have turned away to another node so far. */
  private static long moved(RedisClusterClient redis) {
    long sum = 0;
    for (ConnectionPool node : redis.getClusterNodes().values()) {
      try (Connection connection = node.getResource()) {
        connection.sendCommand(Protocol.Command.INFO, "errorstats");
        Matcher match = MOVED.matcher(connection.getBulkReply());
        if (match.find()) sum += Long.parseLong(match.group(1));
      }
    }
    return sum;
  }
}
