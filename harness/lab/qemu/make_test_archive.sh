#!/bin/sh
# Makes a Debian archive in folder $1: mirror/ with the suites bookworm (empty) and bookworm-backports, which holds the
# package whose content is in deb/; signed as Debian signs, by keyring.gpg.
set -e
cd "$1"
GNUPGHOME=$1/gnupg
export GNUPGHOME LC_ALL=C
mkdir -m 700 gnupg
gpg -q --batch --passphrase '' --quick-gen-key us@x ed25519 sign never
gpg -q --batch --export us@x >keyring.gpg

package=$(sed -n 's/^Package: //p' deb/DEBIAN/control)
file=pool/${package}_1_amd64.deb
mkdir -p mirror/pool
dpkg-deb --root-owner-group -Znone --build deb mirror/$file >/dev/null

for suite in bookworm bookworm-backports; do
  dir=mirror/dists/$suite
  packages=$dir/main/binary-amd64/Packages
  mkdir -p $dir/main/binary-amd64
  : >$packages
  if [ $suite = bookworm-backports ]; then
    {
      cat deb/DEBIAN/control
      echo "Filename: $file"
      echo "Size: $(stat -c %s mirror/$file)"
      echo "SHA256: $(sha256sum <mirror/$file | cut -d' ' -f1)"
    } >$packages
  fi
  {
    printf 'Origin: Debian\nSuite: %s\nCodename: %s\nArchitectures: amd64\nComponents: main\n' $suite $suite
    printf 'Date: %s\nSHA256:\n' "$(date -Ru)"
    printf ' %s %s main/binary-amd64/Packages\n' "$(sha256sum <$packages | cut -d' ' -f1)" "$(stat -c %s $packages)"
  } | gpg -q --batch --clearsign -o $dir/InRelease
done
gpgconf --kill all
