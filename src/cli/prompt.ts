// Asks for a password on the terminal, without echo.

const ENTER = /[\r\n]/;
const CTRL_C = "\x03";
const CTRL_D = "\x04";
const CTRL_U = "\x15";
const BACKSPACE = /[\b\x7f]/;

/** Whether there is somebody to ask. */
export function canAsk(): boolean {
  return process.stdin.isTTY === true && process.stderr.isTTY === true;
}

/** Resolves to what was typed; null when it was given up with Ctrl-C or Ctrl-D. The question goes to standard error. */
export function askSecret(question: string): Promise<string | null> {
  const { stdin, stderr } = process;
  // Before the question: whoever answers as soon as it is there must not see it echoed.
  stdin.setRawMode(true);
  stderr.write(question);
  stdin.setEncoding("utf8");
  stdin.resume();
  let typed: string[] = [];
  return new Promise((resolve) => {
    const end = (answer: string | null) => {
      stdin.off("data", read);
      stdin.setRawMode(false);
      stdin.pause();
      stderr.write("\n");
      resolve(answer);
    };
    const read = (chunk: string) => {
      for (const character of chunk) {
        if (ENTER.test(character)) return end(typed.join(""));
        if (character === CTRL_C || character === CTRL_D) return end(null);
        if (character === CTRL_U) typed = [];
        else if (BACKSPACE.test(character)) typed.pop();
        else typed.push(character);
      }
    };
    stdin.on("data", read);
  });
}
