// keytool, many times in one start of Java: each line of standard input is a command, its words separated by tabs; the answer is what it
// prints and a line with nothing but a dot. A command that fails ends it all, as keytool ends itself.

import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;

class Keytools {
  public static void main(String[] none) throws Exception {
    BufferedReader commands = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    for (String line; (line = commands.readLine()) != null; ) {
      sun.security.tools.keytool.Main.main(line.split("\t"));
      System.out.println("\n.");
    }
  }
}
