import { SMTPStream } from 'smtp-server/lib/smtp-stream';

/** What a chunk of data has led to. */
export type DataStep =
  | { state: 'more'; wait?: Promise<void> }
  /** `replied` resolves when the next command may be read; `rest` begins with it. */
  | { state: 'ended'; rest: Buffer; replied: Promise<void> };

/**
 * The command parser of smtp-server with a data mode of its own: the library's hands bare CR and LF through, takes dots out after a bare LF, and gives each
 * message a stream. Here the octets go straight to one function.
 */
export class SmtpInput extends SMTPStream {
  #receive: ((chunk: Buffer) => DataStep) | undefined;

  /** From now on all octets go to `receive`, until it says that the data has ended. */
  startData(receive: (chunk: Buffer) => DataStep): void {
    this.#receive = receive;
    this._dataMode = true;
  }

  override _feedDataStream(chunk: Buffer, done: (error?: Error | null) => void): void {
    const step = this.#receive?.(chunk);
    if (!step) {
      done();
    } else if (step.state === 'more') {
      if (step.wait) step.wait.then(() => done(), done);
      else done();
    } else {
      this._dataMode = false;
      this.#receive = undefined;
      step.replied.then(() => this._write(step.rest, 'buffer', done), done);
    }
  }
}
