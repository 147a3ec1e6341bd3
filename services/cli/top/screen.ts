import { frameLines } from './frame.ts';
import type { Snapshot } from './snapshot.ts';

/** Where frames go. `close` leaves a terminal as it was. */
export interface Screen {
  show: (now: Snapshot, before: Snapshot | undefined, trouble?: string) => void;
  close(): void;
}

type Out = Pick<NodeJS.WriteStream, 'isTTY' | 'columns' | 'rows'> & { write(text: string): boolean };

/** A terminal is drawn anew on its second screen; a pipe or a file gets one frame after the other, with `json` a line each. */
export function openScreen(out: Out, json: boolean): Screen {
  if (json || !out.isTTY) {
    return {
      show(now, before, trouble) {
        const text = json
          ? JSON.stringify({ ...now, ...(trouble !== undefined && { trouble }) })
          : `${frameLines(now, before, { ...unbounded, ...(trouble !== undefined && { trouble }) }).join('\n')}\n`;
        out.write(`${text}\n`);
      },
      close: () => {},
    };
  }
  out.write(secondScreen + hideCursor);
  return {
    show(now, before, trouble) {
      const size = { columns: out.columns, rows: out.rows };
      const lines = frameLines(now, before, { ...size, ...(trouble !== undefined && { trouble }) });
      out.write(home + lines.map((line) => line + eraseLine).join('\r\n') + eraseBelow);
    },
    close: () => void out.write(showCursor + firstScreen),
  };
}

const unbounded = { columns: 200, rows: 200 };

// ECMA-48 and xterm's private modes.
const secondScreen = '\x1b[?1049h';
const firstScreen = '\x1b[?1049l';
const hideCursor = '\x1b[?25l';
const showCursor = '\x1b[?25h';
const home = '\x1b[H';
const eraseLine = '\x1b[K';
const eraseBelow = '\x1b[J';
