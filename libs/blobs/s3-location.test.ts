import assert from 'node:assert/strict';
import { test } from 'node:test';
import { s3Location } from './s3-location.ts';

test('bucket, endpoint and region are read from the URL', () => {
  assert.deepEqual(s3Location('s3://mail?endpoint=https://s3.example.org&region=eu-1'), {
    bucket: 'mail',
    endpoint: 'https://s3.example.org',
    region: 'eu-1',
  });
  assert.deepEqual(s3Location('s3://mail.example.org/?endpoint=http%3A%2F%2F%5B::1%5D:9000/base/'), {
    bucket: 'mail.example.org',
    endpoint: 'http://[::1]:9000/base',
    region: 'us-east-1',
  });
});

test('what isn’t understood is refused, not ignored', () => {
  for (const url of [
    's3://mail',
    's3://?endpoint=https://s3.example.org',
    's3://UPPER?endpoint=https://s3.example.org',
    's3://mail/prefix?endpoint=https://s3.example.org',
    's3://mail?endpoint=s3.example.org',
    's3://mail?endpoint=ftp://s3.example.org',
    's3://mail?endpoint=https://key:secret@s3.example.org',
    's3://mail?endpoint=https://s3.example.org?x=1',
    's3://mail?endpoint=https://s3.example.org&region=',
    's3://mail?endpoint=https://s3.example.org&regoin=eu-1',
    'file:/mail',
  ])
    assert.equal(s3Location(url), undefined, url);
});
