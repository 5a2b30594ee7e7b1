package example;

import static example.Reply.array;
import static example.Reply.check;
import static example.Reply.map;
import static example.Reply.text;

import java.io.IOException;
import java.io.InputStream;
import java.net.URI;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import redis.clients.jedis.DefaultJedisClientConfig;
import redis.clients.jedis.HostAndPort;
import redis.clients.jedis.Protocol;
import redis.clients.jedis.RedisClient;
import redis.clients.jedis.RedisProtocol;
import redis.clients.jedis.UnifiedJedis;
import redis.clients.jedis.exceptions.JedisConnectionException;

/** All four families with Jedis. Runs against REDIS_URL and, where it is set, CLUSTER_URL. */
public final class Main {
  private Main() {}

  /** Three calls a minute: the fourth is refused and told when to come back. */
  static void rateLimit(UnifiedJedis redis, String prefix) {
    String key = prefix + ":limit:alice";
    for (long left = 2; left >= 0; left--) {
      List<Object> reply = array(redis.sendCommand(App.RATELIMIT, key, "3", "EX", "60"));
      check(reply.get(0).equals(1L) && reply.get(2).equals(left), reply);
    }
    List<Object> reply = array(redis.sendCommand(App.RATELIMIT, key, "3", "EX", "60"));
    long retryAfter = ((Long) reply.get(3) + 999) / 1000; // whole seconds for the Retry-After header
    check(reply.get(0).equals(0L) && retryAfter >= 55 && retryAfter <= 62, reply);

    // The log-in succeeded after all: what it was charged is given back.
    redis.sendCommand(App.RATELIMIT_REFUND, key, "3", "EX", "60");
    Map<String, Object> peek = map(redis.sendCommand(App.RATELIMIT_PEEK, key, "3", "EX", "60", "FULL"));
    Map<String, Object> rule = map(((List<?>) peek.get("rules")).get(0));
    check(peek.get("allowed").equals(1L) && rule.get("remaining").equals(1L), rule);
  }

  /** One key holds all sessions of a user, so logging out everywhere is one step. */
  static void sessions(UnifiedJedis redis, String prefix) {
    String key = prefix + ":sessions:alice";
    String phone = text(redis.sendCommand(App.SESSION_CREATE, key, "EX", "1800", "MAXAGE", "86400000",
        "DATA", "{\"device\":\"phone\"}", "LIMIT", "5"));
    String laptop = text(redis.sendCommand(App.SESSION_CREATE, key, "EX", "1800",
        "DATA", "{\"device\":\"laptop\"}"));
    check(text(redis.sendCommand(App.SESSION_TOUCH, key, phone)).equals("{\"device\":\"phone\"}"), phone);
    String document = text(redis.sendCommand(App.SESSION_UPDATE, key, phone, "{\"theme\":\"dark\"}"));
    check(document.equals("{\"device\":\"phone\",\"theme\":\"dark\"}"), document);

    // At a log-in: a new id, and for a while the old one too, for requests that are under way.
    String rotated = text(redis.sendCommand(App.SESSION_ROTATE, key, phone, "GRACE", "10000"));
    check(!rotated.equals(phone) && redis.sendCommand(App.SESSION_GET, key, phone) != null, rotated);

    // The account page: handles name the devices without being credentials.
    for (Object each : (List<?>) redis.sendCommand(App.SESSION_LIST, key, "CURRENT", rotated)) {
      Map<String, Object> device = map(each);
      if (device.get("current").equals(0L)) {
        Object ended = redis.sendCommand(App.SESSION_REVOKE, key, "HANDLE", text(device.get("handle")));
        check(ended.equals(1L), ended);
      }
    }
    check(redis.sendCommand(App.SESSION_GET, key, laptop) == null, "the laptop is still logged in");
    check(redis.sendCommand(App.SESSION_REVOKEALL, key).equals(1L), "the phone was not logged in");
    // A slow request cannot bring the session back.
    check(redis.sendCommand(App.SESSION_UPDATE, key, rotated, "{}") == null, "an ended session came back");
  }

  static void inLine(UnifiedJedis redis, String key, long waiters) throws InterruptedException {
    for (int tries = 0; !map(redis.sendCommand(App.LOCK_INFO, key)).get("waiters").equals(waiters); tries++) {
      check(tries < 500, "nobody came to wait");
      Thread.sleep(10);
    }
  }

  /** A lock with a fence; whoever waits is handed the lock in the server. */
  static void locks(UnifiedJedis redis, UnifiedJedis waiter, String prefix) throws Exception {
    String key = prefix + ":lock:report";
    String mine = UUID.randomUUID().toString();
    String theirs = UUID.randomUUID().toString();
    List<Object> reply = array(redis.sendCommand(App.LOCK, key, mine, "EX", "30"));
    long fence = (Long) reply.get(1);
    check(reply.get(0).equals(1L), reply);
    check(array(redis.sendCommand(App.LOCK, key, theirs, "EX", "30")).get(0).equals(0L), "two holders");

    // sendBlockingCommand takes the time-out for blocking calls (none by default) in place of
    // socketTimeoutMillis (2 seconds), which would break off the call.
    String[] wait = {key, theirs, "EX", "30", "WAIT", "10000"};
    CompletableFuture<Object> lost =
        CompletableFuture.supplyAsync(() -> waiter.sendBlockingCommand(App.LOCK, wait));
    inLine(redis, key, 1);

    // The connection is lost while the call waits: Jedis throws and does not send it again (its
    // cluster client does). Doing so with the same token is safe, even if it had got the lock.
    for (String line : text(redis.sendCommand(Protocol.Command.CLIENT, "LIST")).split("\n")) {
      if (line.contains(" name=waiter ") && line.contains(" cmd=app.lock ")) {
        redis.sendCommand(Protocol.Command.CLIENT, "KILL", "ID", line.split(" ")[0].substring(3));
      }
    }
    check(lost.handle((none, error) -> error.getCause()).join() instanceof JedisConnectionException,
        "the connection was not lost");
    CompletableFuture<Object> waiting =
        CompletableFuture.supplyAsync(() -> waiter.sendBlockingCommand(App.LOCK, wait));
    inLine(redis, key, 1);

    check(redis.sendCommand(App.UNLOCK, key, mine).equals(1L), "the lock was not ours");
    reply = array(waiting.join());
    check(reply.get(0).equals(1L) && (Long) reply.get(1) > fence, reply); // what the storage compares
    // 1 released, 0 somebody else holds it, null nobody does.
    check(redis.sendCommand(App.UNLOCK, key, mine).equals(0L), "somebody else's lock was released");
    check(redis.sendCommand(App.UNLOCK, key, theirs).equals(1L), "the lock was lost");
    check(redis.sendCommand(App.UNLOCK, key, theirs) == null, "somebody holds it still");
  }

  /** One caller loads, the others wait for its value; an invalidation beats a slow loader. */
  static void cache(UnifiedJedis redis, UnifiedJedis waiter, String prefix) throws Exception {
    String key = prefix + ":cache:page";
    List<Object> load = array(redis.sendCommand(App.CACHE_GETORLOAD, key, "LEASE", "5000"));
    check(load.get(0).equals("LOAD"), load);
    CompletableFuture<Object> waiting = CompletableFuture.supplyAsync(() ->
        waiter.sendBlockingCommand(App.CACHE_GETORLOAD, key, "LEASE", "5000", "WAIT", "10000"));
    Thread.sleep(100);
    Object stored = redis.sendCommand(App.CACHE_FILL, key, (String) load.get(2), "page", "EX", "60");
    check(stored.equals(1L) && redis.get(key).equals("page"), stored);
    check(array(waiting.join()).subList(0, 2).equals(List.of("HIT", "page")), "no hit");

    // EARLY: one caller refreshes what is about to run out; then the database changes meanwhile, and
    // what the slow loader brings is old and is not stored.
    List<Object> refresh =
        array(redis.sendCommand(App.CACHE_GETORLOAD, key, "LEASE", "5000", "EARLY", "120000"));
    check(refresh.subList(0, 2).equals(List.of("REFRESH", "page")), refresh);
    check(redis.sendCommand(App.CACHE_INVALIDATE, key).equals(1L), "there was no value");
    stored = redis.sendCommand(App.CACHE_FILL, key, (String) refresh.get(2), "old", "EX", "60");
    check(stored.equals(0L), "an old value was stored");

    // The database is down: nobody asks it again for a second.
    load = array(redis.sendCommand(App.CACHE_GETORLOAD, key, "LEASE", "5000"));
    redis.sendCommand(App.CACHE_RELEASE, key, (String) load.get(2), "BACKOFF", "1000");
    load = array(redis.sendCommand(App.CACHE_GETORLOAD, key, "LEASE", "5000"));
    check(load.get(0).equals("BUSY"), load);
  }

  /** The version of Jedis, as Maven has written it into the jar. */
  static String version() throws IOException {
    Properties properties = new Properties();
    try (InputStream in =
        RedisClient.class.getResourceAsStream("/META-INF/maven/redis.clients/jedis/pom.properties")) {
      properties.load(in);
    }
    return properties.getProperty("version");
  }

  /** @param args none */
  public static void main(String[] args) throws Exception {
    URI url = URI.create(System.getenv().getOrDefault("REDIS_URL", "redis://localhost:6379"));
    HostAndPort server = new HostAndPort(url.getHost(), url.getPort() < 0 ? 6379 : url.getPort());
    String version = version();
    for (RedisProtocol protocol : List.of(RedisProtocol.RESP2, RedisProtocol.RESP3)) {
      DefaultJedisClientConfig.Builder config = DefaultJedisClientConfig.builder().protocol(protocol);
      // A call takes a connection out of the pool of eight: waiting calls have a pool of their own.
      try (RedisClient redis = RedisClient.builder().hostAndPort(server).clientConfig(config.build()).build();
          RedisClient waiter = RedisClient.builder().hostAndPort(server)
              .clientConfig(config.clientName("waiter").build()).build()) {
        String prefix = "example:" + UUID.randomUUID();
        rateLimit(redis, prefix);
        sessions(redis, prefix);
        locks(redis, waiter, prefix);
        Object info = redis.sendCommand(Protocol.Command.COMMAND, "INFO", "APP.CACHE.GETORLOAD");
        if (((List<?>) info).get(0) != null) {
          cache(redis, waiter, prefix);
        } else {
          System.out.printf("SKIPPED Jedis %s: the cache, which this server's module does not have%n", protocol);
        }
        System.out.printf("PASSED Jedis %s [%s]%n", protocol, version);
      }
    }
    String cluster = System.getenv("CLUSTER_URL");
    if (cluster == null) {
      System.out.println("SKIPPED Jedis cluster: CLUSTER_URL is not set");
    } else {
      Cluster.run(URI.create(cluster));
      System.out.printf("PASSED Jedis cluster [%s]%n", version);
    }
  }
}
