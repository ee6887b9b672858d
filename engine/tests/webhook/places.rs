//! Places on disk: what they hold after many changes, and what happens when they cannot be saved.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use engine::side::webhook::{
    CatalogPlaces, EndpointKey, Feed, Letter, Place, PlaceChange, Places, PlacesError, Saved,
    Standing,
};
use tempfile::tempdir;

use crate::receiver::{OK, Receiver};
use crate::world::{World, hook, key, options, wait_until};

/// Places on real files that refuse to be saved when told so, as on a full disk.
struct Refusing(CatalogPlaces, Arc<AtomicBool>);

impl Places for Refusing {
    fn load(&mut self) -> Result<Vec<Saved>, PlacesError> {
        self.0.load()
    }

    fn save(&mut self, changes: &[PlaceChange], now_ms: u64) -> Result<(), PlacesError> {
        if self.1.load(Ordering::Relaxed) {
            return Err(PlacesError("no space".to_owned()));
        }
        self.0.save(changes, now_ms)
    }

    fn letter(&mut self, of: &EndpointKey, id: u64) -> Result<Option<Letter>, PlacesError> {
        self.0.letter(of, id)
    }
}

#[test]
fn nothing_more_is_sent_while_places_cannot_be_saved() {
    let dir = tempdir().unwrap();
    let receiver = Receiver::start(|_, _| OK);
    let mut world = World::open(dir.path(), options());
    let is_full = Arc::new(AtomicBool::new(false));
    let places = CatalogPlaces::open(&dir.path().join("webhooks")).unwrap();
    world.run_on(Refusing(places, Arc::clone(&is_full)));
    world.set(&[hook("room", &[receiver.url()])]);
    world.publish("room:1", 0);
    receiver.wait_for(1);
    is_full.store(true, Ordering::Relaxed);
    world.publish_each("room:1", 1..400);
    // What went out before the first save failed is all that goes out; that is told from whether more comes in the time of many saves.
    let of = key("room", &receiver.url());
    wait_until(|| (world.status(&of).in_flight == 1).then_some(()));
    let mut before = 0;
    let stands_still = || {
        let count = receiver.seen().len();
        let is_same = count == before;
        before = count;
        is_same
    };
    assert!(settles(stands_still), "deliveries go on");
    assert!(receiver.seen().len() < 400);
    is_full.store(false, Ordering::Relaxed);
    receiver.wait_for(400);
    assert_eq!(receiver.numbers(), (0..400).collect::<Vec<_>>());
}

/// Whether something is the same twenty times in a row, each time some saves later.
fn settles(mut is_same: impl FnMut() -> bool) -> bool {
    let mut times = 0;
    for _ in 0..200 {
        std::thread::sleep(std::time::Duration::from_millis(25));
        times = if is_same() { times + 1 } else { 0 };
        if times == 20 {
            return true;
        }
    }
    false
}

#[test]
fn places_take_no_more_room_however_often_they_change() {
    let dir = tempdir().unwrap();
    let mut places = CatalogPlaces::open(dir.path()).unwrap();
    let feed = Feed("f".into());
    let mut standing = Standing::new(Place(1));
    for at in 0..600_u128 {
        let changes: Vec<PlaceChange> = (0..200)
            .map(|it| {
                standing.pass(Place(at));
                PlaceChange::Stand(
                    key("room", &format!("http://{it}")),
                    feed.clone(),
                    standing.clone(),
                )
            })
            .collect();
        places.save(&changes, 0).unwrap();
    }
    // Opening it anew would tidy it up.
    let bytes = size(dir.path());
    drop(places);
    let saved = CatalogPlaces::open(dir.path()).unwrap().load().unwrap();
    assert_eq!(saved.len(), 200);
    assert!(saved.iter().all(|it| it.standings[0].1.ended == Place(599)));
    // What was written is 28 MB.
    assert!(bytes < 20 * 1024 * 1024, "{bytes} bytes");
}

fn size(folder: &std::path::Path) -> u64 {
    let entries = std::fs::read_dir(folder).unwrap().map(|it| it.unwrap());
    let sizes = entries
        .map(|it| if it.path().is_dir() { size(&it.path()) } else { it.metadata().unwrap().len() });
    sizes.sum()
}
