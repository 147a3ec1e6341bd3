import { MongoClient } from 'mongodb';

/**
 * Makes the first user of a replica set on this machine that wants users, and answers its URL. MongoDB lets somebody on loopback do this once, when there is no user
 * (https://www.mongodb.com/docs/manual/core/localhost-exception/); later it is looked whether the password is right.
 */
export async function createAdministrator(url: string, user: string, password: string): Promise<string> {
  const named = url.replace('mongodb://', `mongodb://${encodeURIComponent(user)}:${encodeURIComponent(password)}@`);
  const administrator = `${named}&authSource=admin`;
  if (await canLogIn(administrator)) return administrator;
  const client = new MongoClient(url, { serverSelectionTimeoutMS: 30_000 });
  try {
    const roles = ['userAdminAnyDatabase', 'clusterMonitor'];
    await client.db('admin').command({ createUser: user, pwd: password, roles, writeConcern: { w: 'majority' } });
  } finally {
    await client.close();
  }
  return administrator;
}

async function canLogIn(url: string): Promise<boolean> {
  const client = new MongoClient(url, { serverSelectionTimeoutMS: 30_000 });
  try {
    await client.db('admin').command({ connectionStatus: 1 });
    return true;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === authenticationFailed) return false;
    throw error;
  } finally {
    await client.close();
  }
}

const authenticationFailed = 18;
