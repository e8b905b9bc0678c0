// An MQTT client by Java's own means, since Debian has none of Paho for Java: a key store and a trust store make an SSLSocket, as Paho does
// it, and MQTT 3.1.1 is spoken over it. It subscribes to a topic, publishes to it, waits for its own message, and stays until it is cut.
//
// MqttOverTls HOST PORT VERSION TOPIC TYPE FILE PASSWORD TYPE FILE PASSWORD, its own store and the one that it trusts. BKS is BouncyCastle's.
// It prints what it has reached, one line each: "tls VERSION", "received MESSAGE", "closed"; or "! " and what Java throws.

import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.FileInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.security.KeyStore;
import java.security.Provider;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLParameters;
import javax.net.ssl.SSLSocket;
import javax.net.ssl.TrustManagerFactory;

class MqttOverTls {
  private static final PrintStream OUT = new PrintStream(System.out, true, StandardCharsets.UTF_8);

  public static void main(String[] args) {
    try {
      talk(args);
    } catch (Exception error) {
      OUT.println("! " + error);
    }
  }

  private static void talk(String[] args) throws Exception {
    KeyManagerFactory own = KeyManagerFactory.getInstance(KeyManagerFactory.getDefaultAlgorithm());
    own.init(store(args[4], args[5], args[6]), args[6].toCharArray());
    TrustManagerFactory trusted = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
    trusted.init(store(args[7], args[8], args[9]));
    SSLContext context = SSLContext.getInstance("TLS");
    context.init(own.getKeyManagers(), trusted.getTrustManagers(), null);
    try (SSLSocket socket = (SSLSocket) context.getSocketFactory().createSocket(args[0], Integer.parseInt(args[1]))) {
      SSLParameters parameters = socket.getSSLParameters();
      // The name of the server, as Paho checks it by itself.
      parameters.setEndpointIdentificationAlgorithm("HTTPS");
      parameters.setProtocols(new String[] {args[2]});
      socket.setSSLParameters(parameters);
      socket.startHandshake();
      OUT.println("tls " + socket.getSession().getProtocol());
      speak(new DataInputStream(socket.getInputStream()), new DataOutputStream(socket.getOutputStream()), args[3]);
    }
  }

  private static void speak(DataInputStream in, DataOutputStream out, String topic) throws IOException {
    // CONNECT: MQTT 3.1.1, a clean session, no keep alive, no client id.
    send(out, 0x10, string("MQTT"), new byte[] {4, 2, 0, 0}, string(""));
    expect(in, 0x20);
    send(out, 0x82, new byte[] {0, 1}, string(topic), new byte[] {1});
    expect(in, 0x90);
    send(out, 0x32, string(topic), new byte[] {0, 2}, ("Grüße from Java, " + topic).getBytes(StandardCharsets.UTF_8));
    boolean isStaying = false;
    try {
      while (true) {
        int type = in.readUnsignedByte();
        isStaying = true;
        byte[] body = body(in);
        if (type >> 4 != 3) continue;
        int start = 2 + topic.getBytes(StandardCharsets.UTF_8).length + 2;
        OUT.println("received " + new String(body, start, body.length - start, StandardCharsets.UTF_8));
      }
    } catch (IOException ended) {
      if (!isStaying) throw ended;
      OUT.println("closed");
    }
  }

  private static KeyStore store(String type, String name, String password) throws Exception {
    KeyStore store =
        type.startsWith("BKS")
            ? KeyStore.getInstance(type, (Provider) Class.forName("org.bouncycastle.jce.provider.BouncyCastleProvider").getConstructor().newInstance())
            : KeyStore.getInstance(type);
    try (InputStream file = new FileInputStream(name)) {
      store.load(file, password.toCharArray());
    }
    return store;
  }

  private static byte[] string(String text) {
    byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
    byte[] all = new byte[bytes.length + 2];
    all[0] = (byte) (bytes.length >> 8);
    all[1] = (byte) bytes.length;
    System.arraycopy(bytes, 0, all, 2, bytes.length);
    return all;
  }

  /** Packets here are short: their length is one byte. */
  private static void send(DataOutputStream out, int type, byte[]... parts) throws IOException {
    ByteArrayOutputStream body = new ByteArrayOutputStream();
    for (byte[] part : parts) body.write(part);
    if (body.size() > 127) throw new IOException("too long");
    out.write(type);
    out.write(body.size());
    body.writeTo(out);
    out.flush();
  }

  private static void expect(DataInputStream in, int type) throws IOException {
    int got = in.readUnsignedByte();
    byte[] body = body(in);
    // The last byte is the code of CONNACK and SUBACK.
    if (got != type || (body[body.length - 1] & 0x80) != 0 || (type == 0x20 && body[1] != 0)) throw new IOException("refused");
  }

  private static byte[] body(DataInputStream in) throws IOException {
    byte[] body = new byte[in.readUnsignedByte()];
    in.readFully(body);
    return body;
  }
}
