package example;

import java.nio.charset.StandardCharsets;
import redis.clients.jedis.commands.ProtocolCommand;

/** The commands, in the form in which Jedis takes commands that it has no method for. */
enum App implements ProtocolCommand {
  RATELIMIT, RATELIMIT_PEEK, RATELIMIT_REFUND,
  LOCK, UNLOCK, LOCK_EXTEND, LOCK_INFO,
  SESSION_CREATE, SESSION_GET, SESSION_TOUCH, SESSION_UPDATE, SESSION_ROTATE, SESSION_REVOKE,
  SESSION_REVOKEALL, SESSION_LIST,
  CACHE_GETORSET, CACHE_GETORLOAD, CACHE_FILL, CACHE_RELEASE, CACHE_INVALIDATE;

  private final byte[] raw = ("APP." + name().replace('_', '.')).getBytes(StandardCharsets.UTF_8);

  @Override
  public byte[] getRaw() {
    return raw;
  }
}
