// The dashboard: seven pages, each behind a part of the address after the #, so that a link leads to what it shows.

import { render } from "preact";
import { Shell } from "./shell.tsx";

render(<Shell />, document.getElementById("app")!);
