// keytool, many times in one start of Java: each line of standard input is a command, its words separated by tabs; the answer is what it
// prints and a line with nothing but a dot. A command that fails ends it all, as keytool ends itself. Two commands are ours, by Java's own
// means: "look" reads a store, with any password, and says what is in it; "path" validates a certificate up to its authority.

import java.io.BufferedReader;
import java.io.FileInputStream;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.security.Key;
import java.security.KeyStore;
import java.security.Provider;
import java.security.cert.CertPathValidator;
import java.security.cert.CertStore;
import java.security.cert.Certificate;
import java.security.cert.CertificateFactory;
import java.security.cert.CollectionCertStoreParameters;
import java.security.cert.PKIXParameters;
import java.security.cert.TrustAnchor;
import java.security.cert.X509Certificate;
import java.util.ArrayList;
import java.util.Base64;
import java.util.Collections;
import java.util.List;
import javax.naming.ldap.LdapName;
import javax.naming.ldap.Rdn;

class Keytools {
  public static void main(String[] none) throws Exception {
    BufferedReader commands = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    for (String line; (line = commands.readLine()) != null; ) {
      String[] words = line.split("\t", -1);
      if (words[0].equals("look")) look(words);
      else if (words[0].equals("path")) path(words);
      else sun.security.tools.keytool.Main.main(words);
      System.out.println("\n.");
    }
  }

  /** look TYPE PROVIDER FILE PASSWORD KEY-PASSWORD, passwords in base64: a line for each entry, or what Java throws. */
  private static void look(String[] words) {
    StringBuilder said = new StringBuilder();
    try {
      KeyStore store =
          words[2].equals("BC")
              ? KeyStore.getInstance(words[1], bouncyCastle())
              : KeyStore.getInstance(words[1]);
      try (InputStream file = new FileInputStream(words[3])) {
        store.load(file, decoded(words[4]).toCharArray());
      }
      for (String alias : Collections.list(store.aliases())) {
        Key key = store.isKeyEntry(alias) ? store.getKey(alias, decoded(words[5]).toCharArray()) : null;
        Certificate[] chain = key != null ? store.getCertificateChain(alias) : new Certificate[] {store.getCertificate(alias)};
        said.append(encoded(alias.getBytes(StandardCharsets.UTF_16BE)));
        said.append(' ').append(key == null ? "-" : encoded(key.getEncoded()));
        for (Certificate each : chain) said.append(' ').append(encoded(each.getEncoded()));
        said.append('\n');
      }
      System.out.print(said);
    } catch (Exception error) {
      System.out.println("! " + error);
    }
  }

  /** path PROVIDER CHAIN AUTHORITY LISTS, files in PEM: the common name and the alternative names of the first, or what Java throws. */
  private static void path(String[] words) {
    try {
      boolean isBouncyCastle = words[1].equals("BC");
      CertificateFactory factory =
          isBouncyCastle ? CertificateFactory.getInstance("X.509", bouncyCastle()) : CertificateFactory.getInstance("X.509");
      List<Certificate> chain = new ArrayList<>(read(words[2], factory::generateCertificates));
      TrustAnchor anchor = new TrustAnchor((X509Certificate) read(words[3], factory::generateCertificates).iterator().next(), null);
      PKIXParameters parameters = new PKIXParameters(Collections.singleton(anchor));
      parameters.addCertStore(CertStore.getInstance("Collection", new CollectionCertStoreParameters(read(words[4], factory::generateCRLs))));
      CertPathValidator validator =
          isBouncyCastle ? CertPathValidator.getInstance("PKIX", bouncyCastle()) : CertPathValidator.getInstance("PKIX");
      validator.validate(factory.generateCertPath(chain), parameters);
      X509Certificate own = (X509Certificate) chain.get(0);
      StringBuilder said = new StringBuilder();
      for (Rdn each : new LdapName(own.getSubjectX500Principal().getName()).getRdns())
        if (each.getType().equals("CN")) said.append(encoded(each.getValue().toString().getBytes(StandardCharsets.UTF_16BE)));
      for (List<?> name : own.getSubjectAlternativeNames()) said.append(' ').append(encoded(name.get(1).toString().getBytes(StandardCharsets.UTF_16BE)));
      System.out.println(said);
    } catch (Exception error) {
      System.out.println("! " + error);
    }
  }

  private interface Reading<T> {
    T of(InputStream bytes) throws Exception;
  }

  private static <T> T read(String name, Reading<T> reading) throws Exception {
    try (InputStream file = new FileInputStream(name)) {
      return reading.of(file);
    }
  }

  /** Made once, and only where it is asked for: it costs half a second. */
  private static Provider bouncyCastle() throws Exception {
    if (bouncyCastle == null)
      bouncyCastle =
          (Provider) Class.forName("org.bouncycastle.jce.provider.BouncyCastleProvider").getConstructor().newInstance();
    return bouncyCastle;
  }

  private static Provider bouncyCastle;

  private static String decoded(String word) {
    return new String(Base64.getDecoder().decode(word), StandardCharsets.UTF_16BE);
  }

  private static String encoded(byte[] bytes) {
    return Base64.getEncoder().encodeToString(bytes);
  }
}
