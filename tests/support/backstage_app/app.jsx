// A small Backstage app around the unmodified TechDocs reader, in both forms it has: a page of its own, and the tab of an
// entity's page. Plugins and APIs are Backstage's; ours is what Backstage leaves to every app: which of them there are,
// at which paths, and the sign-in, which asks the test's server who is there.
import '@backstage/ui/css/styles.css';
import React from 'react';
import ReactDOM from 'react-dom/client';
import { Route } from 'react-router-dom';
import { createApp } from '@backstage/app-defaults';
import { AppRouter, FlatRoutes } from '@backstage/core-app-api';
import { configApiRef, createApiFactory } from '@backstage/core-plugin-api';
import { ScmIntegrationsApi, scmIntegrationsApiRef } from '@backstage/integration-react';
import { CatalogEntityPage, CatalogIndexPage, EntityLayout, catalogPlugin } from '@backstage/plugin-catalog';
import { searchPlugin } from '@backstage/plugin-search';
import { EntityTechdocsContent, TechDocsReaderPage, TechdocsPage, techdocsPlugin } from '@backstage/plugin-techdocs';

const scmIntegrations = createApiFactory({
  api: scmIntegrationsApiRef,
  deps: { configApi: configApiRef },
  factory: ({ configApi }) => ScmIntegrationsApi.fromConfig(configApi),
});

function SignIn({ onSignInSuccess }) {
  React.useEffect(() => {
    const signIn = async () => {
      const { userEntityRef, token } = await (await fetch('/signed-in.json')).json();
      onSignInSuccess({
        getProfileInfo: async () => ({ displayName: userEntityRef }),
        getBackstageIdentity: async () => ({ type: 'user', userEntityRef, ownershipEntityRefs: [userEntityRef] }),
        getCredentials: async () => (token ? { token } : {}),
        signOut: async () => {},
      });
    };
    signIn();
  }, [onSignInSuccess]);
  return null;
}

const app = createApp({
  configLoader: async () => [{ context: 'app', data: await (await fetch('/app-config.json')).json() }],
  apis: [scmIntegrations],
  plugins: [catalogPlugin, searchPlugin, techdocsPlugin],
  components: { SignInPage: SignIn },
});

const entityPage = (
  <EntityLayout>
    <EntityLayout.Route path="/" title="Overview">
      <p>Nothing but documentation here.</p>
    </EntityLayout.Route>
    <EntityLayout.Route path="/docs" title="Docs">
      <EntityTechdocsContent />
    </EntityLayout.Route>
  </EntityLayout>
);

const App = app.createRoot(
  <AppRouter>
    <FlatRoutes>
      <Route path="/docs" element={<TechdocsPage />} />
      <Route path="/docs/:namespace/:kind/:name/*" element={<TechDocsReaderPage />} />
      <Route path="/catalog" element={<CatalogIndexPage />} />
      <Route path="/catalog/:namespace/:kind/:name" element={<CatalogEntityPage />}>
        {entityPage}
      </Route>
    </FlatRoutes>
  </AppRouter>,
);

ReactDOM.createRoot(document.getElementById('root')).render(<App />);
