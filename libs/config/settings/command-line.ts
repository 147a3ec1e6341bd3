import { text, url } from '../forms.ts';
import { secret, setting } from './setting.ts';

/** For the command line only. */
export const commandLineSettings = {
  apiUrl: setting(
    'Command line',
    'WAYPOST_API_URL',
    url(['http', 'https']),
    'http://127.0.0.1:8080',
    'The API that `waypost` talks to.',
  ),
  apiToken: secret(
    'Command line',
    'WAYPOST_API_TOKEN',
    text('a token'),
    'Token of `waypost`; else --user and --password.',
  ),
};
