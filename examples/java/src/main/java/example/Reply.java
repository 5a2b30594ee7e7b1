package example;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import redis.clients.jedis.util.KeyValue;

/** Readers for raw replies: bulk strings are byte arrays, integers are Long, arrays are List. */
final class Reply {
  private Reply() {}

  static String text(Object reply) {
    return reply == null ? null : new String((byte[]) reply, java.nio.charset.StandardCharsets.UTF_8);
  }

  /** The elements of an array: integers as Long, bulk strings as String. */
  static List<Object> array(Object reply) {
    List<Object> values = new ArrayList<>();
    for (Object each : (List<?>) reply) values.add(each instanceof byte[] ? text(each) : each);
    return values;
  }

  /** A map: pairs in RESP3, names and values in turn in RESP2. */
  static Map<String, Object> map(Object reply) {
    Map<String, Object> map = new LinkedHashMap<>();
    List<?> items = (List<?>) reply;
    if (!items.isEmpty() && items.get(0) instanceof KeyValue) {
      for (Object item : items) {
        KeyValue<?, ?> pair = (KeyValue<?, ?>) item;
        map.put(text(pair.getKey()), pair.getValue());
      }
    } else {
      for (int i = 0; i < items.size(); i += 2) map.put(text(items.get(i)), items.get(i + 1));
    }
    return map;
  }

  static void check(boolean holds, Object shown) {
    if (!holds) throw new AssertionError(String.valueOf(shown));
  }
}
