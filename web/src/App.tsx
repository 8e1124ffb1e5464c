import { lazy, Suspense } from 'react';
import { Redirect, Route, Switch } from 'wouter';
import { AuditPage } from './access/AuditPage';
import { KeysPage } from './access/KeysPage';
import { SessionsPage } from './access/SessionsPage';
import { TokensPage } from './access/TokensPage';
import { CustomersPage } from './admin/CustomersPage';
import { UsersPage } from './admin/UsersPage';
import { useSession } from './backend/services';
import { DashboardsPage } from './dashboards/DashboardsPage';
import { DevicesPage } from './devices/DevicesPage';
import { ActivatePage } from './session/ActivatePage';
import { LoginPage } from './session/LoginPage';
import { ResetPage } from './session/ResetPage';
import { SetupPage } from './session/SetupPage';
import { Layout } from './ui/Layout';
import { Empty, Loading } from './ui/states';

// The pages with charts come in pieces of their own.
const DevicePage = lazy(() => import('./devices/DevicePage').then((m) => ({ default: m.DevicePage })));
const DashboardPage = lazy(() => import('./dashboards/DashboardPage').then((m) => ({ default: m.DashboardPage })));

export function App() {
  const { claims } = useSession();
  return (
    <Switch>
      <Route path="/setup">
        <SetupPage />
      </Route>
      <Route path="/activate">
        <ActivatePage />
      </Route>
      <Route path="/login/createPassword">
        <ActivatePage />
      </Route>
      <Route path="/login/resetPassword">
        <ResetPage />
      </Route>
      <Route path="/login">{claims ? <Redirect to="/devices" replace /> : <LoginPage />}</Route>
      <Route>{claims ? <Inside /> : <LoginPage />}</Route>
    </Switch>
  );
}

function Inside() {
  const { claims } = useSession();
  if (claims?.authority === 'SYS_ADMIN') {
    return (
      <Layout>
        <Empty title="You are a system administrator">Tenants are managed over the API; devices belong to the users of a tenant.</Empty>
      </Layout>
    );
  }
  return (
    <Layout>
      <Suspense fallback={<Loading label="Loading the page" />}>
        <Switch>
          <Route path="/">
            <Redirect to="/devices" replace />
          </Route>
          <Route path="/devices">
            <DevicesPage />
          </Route>
          <Route path="/devices/:id">{({ id }) => <DevicePage key={id} id={id} />}</Route>
          <Route path="/dashboards">
            <DashboardsPage />
          </Route>
          <Route path="/dashboards/:id">{({ id }) => <DashboardPage key={id} id={id} />}</Route>
          <Route path="/customers">
            <CustomersPage />
          </Route>
          <Route path="/users">
            <UsersPage />
          </Route>
          <Route path="/tokens">
            <TokensPage />
          </Route>
          <Route path="/audit">
            <AuditPage />
          </Route>
          <Route path="/keys">
            <KeysPage />
          </Route>
          <Route path="/sessions">
            <SessionsPage />
          </Route>
          <Route>
            <Empty title="There is no such page" />
          </Route>
        </Switch>
      </Suspense>
    </Layout>
  );
}
