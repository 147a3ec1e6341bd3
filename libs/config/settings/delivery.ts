import { bool, bytes, duration, limits, oneOf, routes, schedule, servers } from '../forms.ts';
import { optional, setting } from './setting.ts';

const mib = 1024 * 1024;

/** How mail leaves: routes, limits, times. */
export const deliverySettings = {
  routes: setting(
    'Delivery',
    'WAYPOST_ROUTES',
    routes,
    '',
    'Where mail for a domain goes instead of its MX; the host may be private.',
    true,
  ),
  limits: setting(
    'Delivery',
    'WAYPOST_LIMITS',
    limits,
    '*=connections:20,perConnection:100,perSecond:0',
    'What the whole cluster asks of one group of hosts at most: connections at a time, messages for a connection, messages for a second. A group is the registrable domain of the MX hosts, or host:port of a route; `*.example` and `*` fit several, and the closest counts for each limit. What is set over the API goes before it.',
  ),
  allowPrivateDestinations: setting(
    'Delivery',
    'WAYPOST_ALLOW_PRIVATE_DESTINATIONS',
    bool,
    'false',
    'Deliver to MX hosts with loopback or private addresses.',
  ),
  allowAddressLiterals: setting(
    'Delivery',
    'WAYPOST_ALLOW_ADDRESS_LITERALS',
    bool,
    'false',
    'Deliver to domains that are an IP address in brackets.',
  ),
  ipPreference: setting(
    'Delivery',
    'WAYPOST_IP_PREFERENCE',
    oneOf(['auto', 'ipv4-first', 'ipv6-first', 'ipv4-only', 'ipv6-only']),
    'auto',
    'Which addresses of a mail host are tried, in which order; auto: in turn, IPv6 first where this machine has it, else last.',
  ),
  dnsServers: optional('Delivery', 'WAYPOST_DNS_SERVERS', servers, 'Name servers to ask.', 'the system’s'),
  dnsTrustAd: setting(
    'Delivery',
    'WAYPOST_DNS_TRUST_AD',
    bool,
    'false',
    'Believe name servers off loopback that an answer is validated with DNSSEC (DANE needs it). Only where nobody can write on the way to them; `options trust-ad` in resolv.conf says the same.',
  ),
  retryScheduleMs: setting(
    'Delivery',
    'WAYPOST_RETRY_SCHEDULE',
    schedule,
    '30m',
    'Waits between attempts; the last one repeats. A route may have times of its own (`retry`, `expire`, `delayNotice`).',
  ),
  firstRetryMs: optional(
    'Delivery',
    'WAYPOST_FIRST_RETRY',
    duration({ min: '1s', max: '30d' }),
    'The wait before the second attempt, then WAYPOST_RETRY_SCHEDULE begins: 5m gets mail sooner past servers that put off whom they don’t know (greylisting).',
    'as the schedule says',
  ),
  delayNoticeAfterMs: setting(
    'Delivery',
    'WAYPOST_DELAY_NOTICE_AFTER',
    duration({ min: '1s', max: '30d' }),
    '4h',
    'When the sender is told, once, that a delivery still waits.',
  ),
  expireAfterMs: setting(
    'Delivery',
    'WAYPOST_EXPIRE_AFTER',
    duration({ min: '1s', max: '90d' }),
    '5d',
    'When delivery is given up.',
  ),
  traceKeepMs: setting(
    'Delivery',
    'WAYPOST_TRACE_KEEP',
    duration({ min: '1h', max: '365d' }),
    '7d',
    'How long finished deliveries and their attempts are kept.',
  ),
  maxMessageBytes: setting(
    'Delivery',
    'WAYPOST_MAX_MESSAGE_BYTES',
    bytes({ min: 64 * 1024, max: 1024 * mib }),
    String(50 * mib),
    'The largest message that is accepted (SIZE).',
  ),
};
