//! The end of a history: nothing is under way, and the node says who is there and what it keeps.

use loadtest::history::Event;

use super::http::Http;
use super::publishers::rows;
use super::tenant::{CHANNELS, TENANTS, Tenant};
use super::world::World;

/// Records it.
pub(crate) fn record(world: &World) {
    world.note(Event::Quiet);
    let port = world.port().unwrap();
    for tenant in &TENANTS {
        for channel in CHANNELS.iter().copied() {
            let members = members(port, tenant, channel);
            world.note(Event::Present { channel: tenant.channel(channel), members });
            keep(world, port, (tenant, channel));
        }
    }
}

fn members(port: u16, tenant: &Tenant, channel: &str) -> Vec<String> {
    let path = format!("/v1/realtime/presence/get/{channel}");
    let answer = Http::once(port, &path, Some(&tenant.project_key()), None).unwrap().json();
    let all = answer["data"]["members"].as_array().unwrap();
    all.iter().map(|it| it["client_id"].as_str().unwrap().to_owned()).collect()
}

fn keep(world: &World, port: u16, (tenant, channel): (&Tenant, &str)) {
    let mut after = 0;
    loop {
        let page = rows(port, (tenant, channel), after).unwrap();
        let Some(last) = page.last().and_then(|it| it.place) else { return };
        after = last.offset;
        for shown in page {
            world.note(Event::Kept { channel: tenant.channel(channel), shown });
        }
    }
}
